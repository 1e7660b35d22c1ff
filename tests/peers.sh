#!/bin/sh
# The real programs that tests run beside hapair. Root on Debian: what is missing is installed, and no package may
# start its service. Anybody else: said in one line; the tests that need them are left out and say so.
set -eu
cd "$(dirname "$0")/.."

# The accessibility checker that browser tests use, from npm's registry: this version, with this hash, or none.
axe=4.10.3
axe_sha512=5e6edba515e70d25f6604d9815f064d859c5d1ea7ab661bbc4f87c88779ef0c21cae0abbeb636471ef39e9d62d2582e4b88a1866f19f4ecfcf6d986275e4dc12
fetch_axe() {
    into=.venv/axe-core
    [ ! -e "$into/$axe" ] || return 0
    if ! command -v npm >/dev/null 2>&1; then
        echo "the check of the stats page's accessibility needs npm; to run it too: sudo apt install npm" >&2
        return 0
    fi
    rm -rf "$into"
    mkdir -p "$into"
    npm pack --silent "axe-core@$axe" --pack-destination "$into" >/dev/null &&
        echo "$axe_sha512  $into/axe-core-$axe.tgz" | sha512sum -c --quiet >&2 &&
        tar -xzf "$into/axe-core-$axe.tgz" -C "$into" --strip-components=1 package/axe.min.js package/LICENSE &&
        touch "$into/$axe" || echo "axe-core $axe could not be fetched: no check of the stats page's accessibility" >&2
}

peers="keepalived frr haproxy nginx-light libnginx-mod-stream wrk nftables iptables ufw firewalld dbus-daemon iproute2 iputils-ping tcpdump tshark curl systemd util-linux procps chromium chromium-driver caddy nodejs nghttp2-client openssl redis-server postgresql mariadb-server dnsmasq-base python3-grpcio prometheus"
missing=
for package in $peers; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
command -v npm >/dev/null 2>&1 || missing="$missing npm" # some packages of nodejs have it in them
if [ -z "$missing" ]; then
    fetch_axe
    exit 0
fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "some tests need real peers; to run them too: sudo apt install$missing" >&2
    fetch_axe
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
case " $missing " in *" firewalld "*) systemctl disable --quiet firewalld 2>/dev/null || : ;; esac # at no later start either
fetch_axe
