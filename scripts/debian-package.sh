#!/usr/bin/env bash
# debian-package.sh SUITE PACKAGE DIR
#
# A package of another Debian suite, with all that it needs, beside the system: unpacked below DIR/root, and for each of its commands a
# wrapper in DIR/bin which runs it with that root's own loader and libraries. Nothing is installed, and no root is needed.
#
#   scripts/debian-package.sh bookworm-backports valkey-server "$PWD/valkey" && PATH="$PWD/valkey/bin:$PATH" valkey-server
#
# Packages come from the mirror in /etc/apt/sources.list.d/debian.sources, and are checked with its keys.
set -euo pipefail

fail() { echo "debian-package: $1" >&2; exit 1; }

[ $# = 3 ] || fail "use: debian-package.sh SUITE PACKAGE DIR"
suite=$1 package=$2
sources=/etc/apt/sources.list.d/debian.sources
[ -r "$sources" ] || fail "$sources is missing: it takes Debian 12 or later"
mkdir -p "$3"
dir=$(cd "$3" && pwd -P)
root=$dir/root bin=$dir/bin
[ ! -e "$root" ] || fail "$root is there already"
work=$(mktemp -d "$dir/work.XXXXXX")
trap 'rm -rf "$work"' EXIT

# Backports hold what was ported alone: all else is in the suite that they are of.
[[ $suite == *-backports ]] && suites="${suite%-backports} $suite" || suites=$suite
awk 'BEGIN { RS = "" } NR == 1' "$sources" | sed "s/^Suites:.*/Suites: $suites/" > "$work/debian.sources"

# With an empty list of what is installed, apt-get downloads the C library too.
mkdir -p "$work"/{lists,cache/archives}/partial
: > "$work/status"
apt=(apt-get -qq -o Dir::Etc::sourcelist="$work/debian.sources" -o Dir::Etc::sourceparts=/nonexistent -o Dir::State="$work"
  -o Dir::State::lists="$work/lists" -o Dir::State::status="$work/status" -o Dir::Cache="$work/cache" -o APT::Sandbox::User=root)
"${apt[@]}" update >&2 || fail "the lists of $suite could not be read"
"${apt[@]}" install --yes --no-install-recommends --download-only --target-release "$suite" "$package" > /dev/null || fail "$package of $suite could not be downloaded"
mkdir "$work/root"
for archive in "$work"/cache/archives/*.deb; do dpkg-deb -x "$archive" "$work/root"; done

loader=$(find "$work/root" -name 'ld-linux*.so.*' -type f | head -n 1)
[ -n "$loader" ] || fail "$package of $suite came without a loader"
loader=$root${loader#"$work/root"}
triplet=$(basename "$(dirname "$loader")")
libraries=$root/usr/lib/$triplet:$root/lib/$triplet

mv "$work/root" "$root"
mkdir -p "$work/bin"
while read -r command; do
  printf '#!/bin/sh\nexec "%s" --library-path "%s" "%s" "$@"\n' "$loader" "$libraries" "$root/$command" > "$work/bin/$(basename "$command")"
  chmod +x "$work/bin/$(basename "$command")"
# A command may be a link to one of another package, and a script needs no loader.
done < <(dpkg-deb --fsys-tarfile "$work/cache/archives/${package}_"*.deb | tar -t | sed -nE 's#^\./((usr/)?s?bin/[^/]+)$#\1#p' |
  while read -r command; do [ "$(head -c 4 "$root/$command" | tr -d '\177')" = ELF ] && echo "$command" || true; done)
[ -n "$(ls "$work/bin")" ] || fail "$package of $suite has no command"
rm -rf "$bin"
mv "$work/bin" "$bin"
