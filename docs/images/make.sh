#!/usr/bin/env bash
# Takes the pictures of a window and the page in one room, on a virtual display and a private PulseAudio: playing
# (room.png), and the view of the room (machines.png).
# Usage: docs/images/make.sh [FOLDER OF THE BINARIES]     needs the packages of `make test`
set -euo pipefail
cd "$(dirname "$0")/../.."
binaries=$(realpath "${1:-target/debug}")
out=$PWD/docs/images

# Nothing of the user's own settings, caches or sound server is used.
home=$(mktemp -d)
export HOME=$home XDG_RUNTIME_DIR=$home XDG_CONFIG_HOME=$home XDG_STATE_HOME=$home XDG_CACHE_HOME=$home
export DISPLAY=:77 LIBGL_ALWAYS_SOFTWARE=1
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; sleep 1; rm -rf "$home"' EXIT
start() { "$@" >"$home/log" 2>&1 & pids+=($!); }

start pulseaudio -n --exit-idle-time=-1 --load=module-native-protocol-unix \
	--load="module-null-sink sink_name=hall sink_properties=device.description=Hall rate=48000"
start Xvfb "$DISPLAY" -screen 0 1500x860x24
start "$binaries/downbeat-relay" --listen 127.0.0.1:3777
sleep 2
for name in lab-1 lab-2 balcony; do start "$binaries/downbeat" play 127.0.0.1:3777 --name "$name"; done
start "$binaries/downbeat" 127.0.0.1:3777 --name stage
start chromium --app=http://127.0.0.1:3777/ --user-data-dir="$home/chromium" --no-sandbox --test-type --hide-scrollbars \
	--no-first-run --disable-background-networking --disable-gpu
sleep 12
for window in $(xdotool search --name '^Downbeat'); do
	if xprop -id "$window" WM_CLASS 2>/dev/null | grep -qi chrom; then place=(1000 0 500 860); else place=(0 0 1000 860); fi
	xdotool windowmove "$window" "${place[@]:0:2}" windowsize "$window" "${place[@]:2}"
done
sleep 2
# The page starts its audio with a click; then every clock settles.
xdotool mousemove 1250 430 click 1
sleep 20
xdotool mousemove 1499 859
bang() { "$binaries/downbeat" bang 127.0.0.1:3777 --sound "$1" --name lab-1; }
bang texture
# By then all have answered.
sleep 5
import -window root "$out/room.png"
# The tabs of the room's view, in both; of the page, the receipts of bangs.
xdotool mousemove 478 34 click 1 sleep 0.5 mousemove 1405 60 click 1
bang kick
sleep 4
xdotool mousemove 1499 859
import -window root "$out/machines.png"
