#!/bin/sh
# Packs what was built into a Debian package. `make deb` calls it, with the Makefile's variables.
#
# The package is the same, byte for byte, each time: all times in it are that of the last commit (SOURCE_DATE_EPOCH).
# Usage: build.sh PROGRAM SHARE RESULT VERSION MAINTAINER, where SHARE has man pages and completions.
set -eu
program=$1 share=$2 result=$3 version=$4 maintainer=$5
here=$(cd "$(dirname "$0")" && pwd)
: "${SOURCE_DATE_EPOCH:?is the time of the last commit}"
export SOURCE_DATE_EPOCH

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
umask 022
root=$work/root

install -D -m 755 "$program" "$root/usr/bin/swarmlet"
mkdir -p "$root/usr/share"
cp -R "$share/." "$root/usr/share"
gzip -9n "$root"/usr/share/man/man1/*
install -D -m 644 "$here/swarmlet.service" "$root/lib/systemd/system/swarmlet.service"
install -D -m 644 "$here/daemon.conf" "$root/etc/swarmlet/daemon.conf"
documents=$root/usr/share/doc/swarmlet
install -D -m 644 "$here/copyright" "$documents/copyright"
# The README and the book lead to each other.
mkdir "$documents/book"
sed 's|src/book/|book/|g' "$here/../../../README.md" >"$documents/README.md"
cp "$here"/../../book/*.md "$documents/book"
chmod 644 "$documents/README.md" "$documents"/book/*
date=$(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")
{
    printf 'swarmlet (%s) unstable; urgency=medium\n\n' "$version"
    printf '  * Package of this version. The commits say what changed.\n\n'
    printf ' -- %s  %s\n' "$maintainer" "$date"
} | gzip -9n >"$documents/changelog.gz"
chmod 644 "$documents/changelog.gz"

# dpkg-shlibdeps finds out which versions of which libraries the program needs. It wants a source package around it.
mkdir "$work/debian"
printf 'Source: swarmlet\n\nPackage: swarmlet\nArchitecture: any\n' >"$work/debian/control"
libraries=$(cd "$work" && dpkg-shlibdeps -O root/usr/bin/swarmlet | sed -n 's/^shlibs:Depends=//p')
# It does not see that packed relocations need the C library of 2.36 (see the Makefile).
libc=$(printf %s "$libraries" | sed -n 's/.*libc6 (>= \([^)]*\)).*/\1/p')
if grep -aq GLIBC_ABI_DT_RELR "$program" && dpkg --compare-versions "$libc" lt 2.36; then
    libraries=$(printf %s "$libraries" | sed 's/libc6 (>= [^)]*)/libc6 (>= 2.36)/')
fi

install -d "$root/DEBIAN"
size=$(du -k -s --apparent-size --exclude=DEBIAN "$root" | cut -f 1)
maintainer=$(printf %s "$maintainer" | sed 's/[&/\\]/\\&/g')
sed -e "s/@VERSION@/$version/" -e "s/@ARCH@/$(dpkg --print-architecture)/" -e "s/@LIBRARIES@/$libraries/" \
    -e "s/@SIZE@/$size/" -e "s/@MAINTAINER@/$maintainer/" "$here/control" >"$root/DEBIAN/control"
echo /etc/swarmlet/daemon.conf >"$root/DEBIAN/conffiles"
for script in postinst prerm postrm; do install -m 755 "$here/$script" "$root/DEBIAN/$script"; done
(cd "$root" && find . -path ./DEBIAN -prune -o -type f -printf '%P\n' | LC_ALL=C sort | xargs md5sum) \
    >"$work/md5sums"
install -m 644 "$work/md5sums" "$root/DEBIAN/md5sums"

dpkg-deb --root-owner-group -Zxz --build "$root" "$result" >/dev/null
stat -c 'deb: %n has %s bytes' "$result"
