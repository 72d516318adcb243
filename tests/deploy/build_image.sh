#!/usr/bin/env bash
# Builds the Dockerfile without a Docker engine and starts the result as it would run in a
# cluster: its own user, a read-only root, a writable /tmp. Usage: build_image.sh [WORKDIR]
# SKIP_BUILD=1 starts the image that the last call built; PYTHON needs the project's packages.
#
# Debian's packages only: buildah with chroot isolation, on a base that mmdebstrap makes in place
# of the named Python image (which has the same Debian and the same minor version of Python).
set -euo pipefail
cd "$(dirname "$0")/../.."
work=${1:-/var/tmp/bisenet-image}
port=${PORT:-8899}
mkdir -p "$work"
export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot
buildah="buildah --root $work/storage --runroot $work/run"

for tool in buildah mmdebstrap chroot; do
  command -v $tool >/dev/null || { echo "missing: $tool (apt-get install buildah mmdebstrap)"; exit 3; }
done

if [ ! -s "$work/rootfs.tar" ]; then
  echo "==> Making the base"
  mmdebstrap --variant=minbase --include=python3,python3-venv,ca-certificates bookworm "$work/rootfs.tar"
fi
if ! $buildah inspect --type image localhost/python-base >/dev/null 2>&1; then
  container=$($buildah from scratch)
  $buildah add -q "$container" "$work/rootfs.tar" /
  $buildah config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
  $buildah commit -q --rm "$container" localhost/python-base
fi

if [ -z "${SKIP_BUILD:-}" ]; then
  echo "==> Building the Dockerfile"
  start=$SECONDS
  # The builder's own pip settings (a mirror, a certificate, a folder of wheels) apply inside too.
  mounts=(-v /etc/ssl/certs:/etc/ssl/certs:ro)
  for path in /etc/pip.conf /root/.config/pip/pip.conf; do
    [ -f $path ] && mounts+=(-v "$path:$path:ro")
  done
  [ -n "${PIP_FIND_LINKS:-}" ] && [ -d "$PIP_FIND_LINKS" ] && mounts+=(-v "$PIP_FIND_LINKS:$PIP_FIND_LINKS:ro")
  $buildah build --format docker --tag bisenet-face-parsing \
  --build-arg PYTHON_IMAGE=localhost/python-base --build-arg "TORCH_INDEX=${TORCH_INDEX:-}" \
  --build-arg VERSION=test --build-arg "REVISION=$(git rev-parse --short HEAD)" "${mounts[@]}" .
  echo "built in $((SECONDS - start)) s"
fi

container=$($buildah from bisenet-face-parsing)
root=$($buildah mount "$container")
cleanup() {
  [ -n "${server:-}" ] && kill "$server" 2>/dev/null && wait "$server" 2>/dev/null || true
  umount "$work/merged/tmp" "$work/merged/dev" "$work/merged/proc" "$work/merged" 2>/dev/null || true
  $buildah umount "$container" >/dev/null 2>&1 || true
  $buildah rm "$container" >/dev/null 2>&1 || true
}
trap cleanup EXIT

echo "==> What it is made of (MB)"
for part in "" /opt/venv /app; do du -sxm "$root$part" | sed "s#$root#image: #"; done
du -sm "$root"/opt/venv/lib/python3*/site-packages/* | sort -rn | head -12 | sed "s#$root.*/##"
echo "==> What must not be there"
for name in gcc cc make pip pytest; do
  if chroot "$root" /usr/bin/env PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin sh -c "command -v $name"; then
    echo "found $name in the image"; exit 1
  fi
done
[ ! -e "$root/app/tests" ] && [ ! -e "$root/app/bisenet/training" ] && [ ! -e "$root/root/.cache" ] && [ ! -e "$root/app/.git" ]

echo "==> Starting it: user 10001, read-only root, writable /tmp"
mkdir -p "$work/merged"
mount --bind "$root" "$work/merged"
mount -o remount,bind,ro "$work/merged"
mount -t tmpfs -o size=512m,mode=1777 tmpfs "$work/merged/tmp"
mount -t proc proc "$work/merged/proc"
mount --bind /dev "$work/merged/dev"
mapfile -t environment < <($buildah inspect --format '{{range .OCIv1.Config.Env}}{{println .}}{{end}}' "$container" | grep .)
run=(setpriv --reuid 10001 --regid 10001 --clear-groups --no-new-privs --bounding-set=-all
     env -i "${environment[@]}" "PORT=$port" BISENET_HOST=127.0.0.1 "BISENET_THREADS=${BISENET_THREADS:-1}"
     sh -c 'cd /app && exec "$@"' sh)
begin=$(date +%s%N)
chroot "$work/merged" "${run[@]}" tini -s -- python -m bisenet.server >"$work/server.log" 2>&1 &
server=$!
for _ in $(seq 240); do
  chroot "$work/merged" "${run[@]}" python -m bisenet.serving.probe && break
  kill -0 "$server" || { cat "$work/server.log"; exit 1; }
  sleep 0.5
done
chroot "$work/merged" "${run[@]}" python -m bisenet.serving.probe
echo "ready after $((($(date +%s%N) - begin) / 1000000)) ms"
chroot "$work/merged" "${run[@]}" sh -c 'touch /app/x 2>&1 || true; id -u; touch /tmp/x && echo "/tmp is writable"'
"${PYTHON:-python3}" tests/deploy/parse_once.py "http://127.0.0.1:$port"
grep -E 'VmHWM|VmRSS' "/proc/$(pgrep -P "$server" -f bisenet.server | head -1)/status" || true
kill -TERM "$server"
wait "$server" && echo "left with exit code 0"
server=
echo "==> The image is good"
