#!/bin/sh
# Install hapair from this checkout: sudo sh deploy/install.sh. Run it again to bring an installation up to date.
#
#   /opt/hapair                          a virtual environment with the locked dependencies and hapair itself
#   /usr/local/bin/hapair                so that `hapair` is found
#   /etc/hapair                          where hapair.yaml belongs; what is there is never changed
#   /etc/systemd/system/hapair.service   the unit; it is not enabled, and a running hapair is not restarted
#
# The checkout is not needed afterwards. With DESTDIR set, everything is put below that folder, and neither users nor
# systemd are touched: for trying out.
set -eu

# The unit sees no home folder: a Python that lives in one, and comes first in somebody's PATH, would not do.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

destdir=${DESTDIR:-}
here=$(cd "$(dirname "$0")/.." && pwd)
venv=$destdir/opt/hapair

say() { printf '%s\n' "$*" >&2; }

if [ -z "$destdir" ] && [ "$(id -u)" != 0 ]; then
    say "installing needs root; type: sudo sh deploy/install.sh"
    exit 1
fi
umask 022

sh "$here/deploy/bootstrap.sh" "$venv" requirements.lock

say "putting hapair into $venv"
site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
for package in balancer vrrp hapair; do
    # Beside the old one first: an interrupted copy leaves what was there.
    rm -rf "$site/$package.new"
    cp -R "$here/$package" "$site/$package.new"
    find "$site/$package.new" -name __pycache__ -type d -prune -exec rm -rf {} +
    rm -rf "${site:?}/$package"
    mv "$site/$package.new" "$site/$package"
done
# The unit cannot write here: without this, every start would compile everything anew.
"$venv/bin/python" -m compileall -q "$site/balancer" "$site/vrrp" "$site/hapair"
# Until here `hapair` was that of the checkout, which may lie in a home folder and go away.
rm -f "$site/hapair-checkout.pth"
mkdir -p "$destdir/usr/local/bin"
ln -sfn /opt/hapair/bin/hapair "$destdir/usr/local/bin/hapair"

if [ -z "$destdir" ] && ! id -u hapair >/dev/null 2>&1; then
    say "adding the system user hapair"
    useradd --system --user-group --home-dir /nonexistent --no-create-home --shell /usr/sbin/nologin hapair
fi

if [ ! -d "$destdir/etc/hapair" ]; then
    say "making $destdir/etc/hapair"
    mkdir -p "$destdir/etc/hapair"
fi

say "putting hapair.service into $destdir/etc/systemd/system"
mkdir -p "$destdir/etc/systemd/system"
cp "$here/deploy/hapair.service" "$destdir/etc/systemd/system/hapair.service"
chmod 0644 "$destdir/etc/systemd/system/hapair.service"
if [ -z "$destdir" ] && [ -d /run/systemd/system ]; then
    systemctl daemon-reload
fi

if [ -e "$destdir/etc/hapair/hapair.yaml" ]; then
    say "done; to let a running hapair use it: sudo systemctl restart hapair"
else
    say "done; write /etc/hapair/hapair.yaml (begin with a file from $here/examples); make the pair's secret on one node"
    say "with sudo hapair init, which says how to copy it to the other; then: sudo systemctl enable --now hapair"
fi
