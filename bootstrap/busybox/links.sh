# One name for each thing that busybox can do, beside it.
cd "$out/bin"
for name in $(./busybox --list); do
    test "$name" = busybox || ./busybox ln -s busybox "$name"
done
