"""A gRPC server with a health service, for Debian's Python with its grpc package: `grpc_health.py PORT`."""

import sys
import time
from concurrent import futures

import grpc

STATUSES = {b"": b"\x08\x01", b"\x0a\x04shop": b"\x08\x02"}


def check(request: bytes, context: grpc.ServicerContext) -> bytes:
    """The server serves, its service `shop` does not, and it knows no other."""
    if request not in STATUSES:
        context.abort(grpc.StatusCode.NOT_FOUND, "no such service")
    return STATUSES[request]


def main() -> None:
    """Serve until it is ended."""
    server = grpc.server(futures.ThreadPoolExecutor(2))
    handler = grpc.unary_unary_rpc_method_handler(check)  # no serializers: bytes come and go
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": handler}),)
    )
    server.add_insecure_port(f"127.0.0.1:{sys.argv[1]}")
    server.start()
    time.sleep(600)


if __name__ == "__main__":
    main()
