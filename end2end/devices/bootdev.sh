#!/bin/bash
# bootdev.sh NAME BASE   boots a throw-away copy-on-write device NAME over BASE with systemd as its first process, and again whenever it
# restarts: systemd-nspawn ends with 133 for a restart and with 0 when the device is switched off. Needs root and systemd-container.
# All of it ends with this script. As in dev.sh the network is shared and SHARE=dir is bound at /mnt/share; FILES=dir is copied over the root before the first boot.
# /run is empty and the boot id another one at each boot. Prints `boot` before each; the console goes to $DEVROOT/console.
# With a command after BASE that command is run instead, without a boot.
set -eu
NAME=$1; BASE=$2; shift 2; D=${DEVROOT:?}; mkdir -p "$D"/{up,work,root}
export NAME BASE D
exec unshare --mount --pid --fork --kill-child --mount-proc bash -c '
 set -e
 mount --make-rprivate /
 mount -t overlay overlay -o lowerdir=$BASE,upperdir=$D/up,workdir=$D/work $D/root
 mkdir -p $D/root/mnt/share
 echo $NAME > $D/root/etc/hostname
 [ -z "${FILES:-}" ] || cp -r --no-preserve=ownership $FILES/. $D/root/
 nspawn() {
  systemd-nspawn --quiet --directory=$D/root --machine=$NAME --register=no --keep-unit --resolv-conf=off --timezone=off \
   ${SHARE:+--bind=$SHARE:/mnt/share} "$@" </dev/null
 }
 [ $# = 0 ] || { nspawn "$@"; exit; }
 code=133
 while [ $code = 133 ]; do
  echo boot
  code=0
  nspawn --boot >>$D/console 2>&1 || code=$?
 done
 exit $code' _ "$@"
