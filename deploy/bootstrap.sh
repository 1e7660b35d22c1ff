#!/bin/sh
# bootstrap.sh VENV LOCKFILE: a virtual environment with the locked dependencies, and `hapair` in its bin that runs
# this checkout. What Debian lacks for that is installed as root, and otherwise named with the command to type.
set -eu
venv=$1 lock=$2
here=$(cd "$(dirname "$0")/.." && pwd)

say() { printf '%s\n' "$*" >&2; }

python=
for one in python3.13 python3.12 python3.11 python3; do
    if command -v "$one" >/dev/null 2>&1 && "$one" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$one
        break
    fi
done
if [ -z "$python" ]; then
    say "hapair needs Python 3.11 or newer; on Debian 12 and Raspberry Pi OS: sudo apt install python3 python3-venv"
    exit 1
fi

missing=
"$python" -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"
command -v nft >/dev/null 2>&1 || [ -x /usr/sbin/nft ] || missing="$missing nftables"
command -v ip >/dev/null 2>&1 || [ -x /usr/sbin/ip ] || missing="$missing iproute2"
if [ -n "$missing" ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        say "installing$missing"
        # shellcheck disable=SC2086 # a list of words is meant
        { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing; } >&2
    else
        say "missing on this machine:$missing; type: sudo apt install$missing"
        case "$missing" in *python3-venv*) exit 1 ;; esac
    fi
fi

if [ ! -x "$venv/bin/python" ]; then
    say "making $venv"
    "$python" -m venv "$venv"
fi
say "installing what $lock lists"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$here/$lock"
site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
printf '%s\n' "$here" >"$site/hapair-checkout.pth"
cat >"$venv/bin/hapair" <<SCRIPT
#!$(cd "$venv/bin" && pwd)/python
from hapair.cli import main

main()
SCRIPT
chmod +x "$venv/bin/hapair"
