"""A worker with what a real site has: two routes, header rules, request ids, an access log. See http_featured.py."""

from __future__ import annotations

import argparse

from balancer.config import AccessLog, BalancerConfig, Frontend, Pool, Server
from balancer.config_headers import HeaderRules, RequestId
from balancer.config_routes import Route
from balancer.fieldtypes import Endpoint
from balancer.serve import serve
from balancer.tls.material import Material


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--listen", type=Endpoint.parse_listen, required=True)
    parser.add_argument("--server", type=Endpoint.parse, required=True)
    options = parser.parse_args()
    frontend = Frontend(
        listen=(options.listen,),
        pool="main",
        routes=(Route(path=("/api/*",), pool="api"), Route(host=("static.example.org",), pool="static")),
        request=HeaderRules(set_headers={"X-Site": "example"}, remove_headers=("X-Debug",)),
        response=HeaderRules(set_headers={"X-Frame-Options": "DENY"}, remove_headers=("X-Powered-By",)),
        request_id=RequestId(),
        access_log=AccessLog(format="httplog"),
    )
    pool = Pool(servers={"one": Server(address=options.server)})
    serve(
        BalancerConfig(frontends={"main": frontend}, pools=dict.fromkeys(("main", "api", "static"), pool)), Material()
    )


if __name__ == "__main__":
    main()
