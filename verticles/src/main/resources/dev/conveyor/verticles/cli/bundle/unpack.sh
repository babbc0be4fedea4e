#!/bin/sh
# Unpacks the parts beside it: unpack.sh [DIRECTORY]. Needs tar, gzip and sha256sum, and no network.
set -eu
parts="$(cd -- "$(dirname -- "$0")" && pwd)"
target="${1:-.}"
mkdir -p -- "$target"
target="$(cd -- "$target" && pwd)"
cd -- "$parts"
if ! sha256sum --check --quiet SHA256SUMS; then
  echo "unpack.sh: a part is missing or damaged, see above; nothing was unpacked" >&2
  exit 1
fi
while read -r sum part; do cat -- "$part"; done <SHA256SUMS | tar -xzf - -C "$target"
# A third less time to start; done without where it cannot be written.
"$target/@NAME@/runtime/bin/java" -Xshare:dump >/dev/null 2>&1 || true
echo "unpacked to $target/@NAME@; what is there: $target/@NAME@/scripts/bundle --check"
