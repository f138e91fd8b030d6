#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The identity images of 20 units, byte for byte what spiffsgen.py makes of the same files.
#     bench/spiffs.sh SPIFFSGEN.PY [--json]
set -euo pipefail
gen=$(realpath "$1")
cd "$(dirname "$0")/.."
bin=$PWD/build/gcc/bin
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
"$bin/cradle" -C site init >/dev/null
"$bin/cradle" -C site factory run --count 20 >/dev/null
same=0
for unit in site/factory/units/*; do
    rm -rf files
    "$bin/cradle" image spiffs extract "$unit/identity.bin" -o files >/dev/null
    python3 - "$gen" files theirs.bin <<'PY'
import os, runpy, sys
gen, root, out = sys.argv[1:]
m = runpy.run_path(gen)
config = m['SpiffsBuildConfig'](256, 2, 4096, 2, 4, 32, 2, 2, True, True, 'little', True, True, False)
fs = m['SpiffsFS'](0x9000, config)
for name in sorted(os.listdir(root)):
    fs.create_file('/' + name, os.path.join(root, name))
open(out, 'wb').write(fs.to_binary())
PY
    cmp -s "$unit/identity.bin" theirs.bin && same=$((same + 1))
done
if [ "${2:-}" = --json ]; then
    echo "{\"what\":\"SPIFFS byte-identical\",\"value\":$same,\"goal\":20,\"met\":$([ $same = 20 ] && echo true || echo false)}"
else
    echo "SPIFFS images identical to spiffsgen.py: $same of 20"
fi
[ $same = 20 ]
