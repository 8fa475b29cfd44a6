# Links for x86_64-unknown-linux-gnu, as rustc asks for it with -C linker-flavor=ld: adds what starts a program or stands
# in a library, the loader and folder that programs find their
# libraries by, and the part of the C library that is the loader. Variables before: ld, host, lib.
start=start-program.o
for argument in "$@"; do
    case $argument in
    -shared) start=start-library.o ;;
    esac
done
exec "$ld" -L "$host" --dynamic-linker "$lib/ld-linux-x86-64.so.2" -rpath "$lib" "$host/$start" "$@" \
    --as-needed "$lib/ld-linux-x86-64.so.2"
