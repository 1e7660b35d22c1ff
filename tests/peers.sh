#!/bin/sh
# The real programs that tests run beside hapair. Root on Debian: what is missing is installed, and no package may
# start its service. Anybody else: said in one line; the tests that need them are left out and say so.
set -eu
peers="keepalived frr haproxy nginx-light libnginx-mod-stream wrk nftables iproute2 iputils-ping tcpdump tshark curl systemd util-linux procps chromium chromium-driver caddy nodejs nghttp2-client openssl redis-server postgresql mariadb-server dnsmasq-base python3-grpcio prometheus"
missing=
for package in $peers; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "some tests need real peers; to run them too: sudo apt install$missing" >&2
    exit 0
fi
echo "installing the peers that tests use:$missing" >&2
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then # asked by every package before it starts a service; 101 forbids it
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
fi
apt-get update -qq >&2
# shellcheck disable=SC2086 # a list of words is meant
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
