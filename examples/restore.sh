#!/usr/bin/env bash
# Restore every example into the folder given (default: out).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
to=${1:-out}
mkdir -p "$to"
diffuse denoise -f "$here/cat_noisy.png" "$here/rocket_noisy.jpg" -o "$to/"
diffuse super-resolve -f "$here/coffee_small.png" --scale 4 -o "$to/"
diffuse inpaint -f "$here/camera_scratched.png" --mask "$here/camera_mask.png" -o "$to/"
