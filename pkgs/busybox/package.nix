{ stdenv, bootstrap }:

stdenv.mkDerivation {
  pname = "busybox";
  version = "1.37.0";

  src = bootstrap.sources.busybox.source;

  # Everything that upstream takes for useful, but for what includes headers of the kernel, which aren't here: those are programs
  # that set up a machine, its disks and its network, by the C file that they are declared in or by the library that they use.
  configurePhase = ''
    make SHELL="$SHELL" HOSTCC="$CC_FOR_BUILD" CC="$CC" defconfig
    files=$(grep -rlE '^#[ ]*include <(linux/|asm/|mtd/|scsi/|sys/kd|sys/vt)' --include='*.c' .)
    for option in $(sed -n 's|^//config:config ||p' $files) FEATURE_MOUNT_LOOP LOSETUP RUN_INIT SLATTACH UDHCPC IP{,ADDR,LINK,NEIGH,ROUTE,RULE,TUNNEL}; do
        sed -i "s/^CONFIG_$option=y/# CONFIG_$option is not set/" .config
    done
    sed -i 's/.*CONFIG_STATIC[ =].*/CONFIG_STATIC=y/' .config
    make SHELL="$SHELL" HOSTCC="$CC_FOR_BUILD" CC="$CC" silentoldconfig </dev/null
  '';
  makeFlags = [
    "CC=gcc"
    "HOSTCC=gcc"
    "SKIP_STRIP=y"
  ];
  installPhase = ''
    mkdir -p "$out/bin"
    cp busybox "$out/bin"
    for name in $(./busybox --list); do
      test "$name" = busybox || ln -s busybox "$out/bin/$name"
    done
  '';

  tests.programs = ''
    test "$("$package/bin/sh" -c 'seq 3 | "$package/bin/sort" -rn | "$package/bin/head" -n1')" = 3
    test "$("$package/bin/busybox" --list | wc -l)" -gt 330
  '';

  meta = {
    description = "Small versions of the usual programs, in one";
    homepage = "https://busybox.net/";
    license = "GPL-2.0-only";
    mainProgram = "busybox";
    cpe = "cpe:2.3:a:busybox:busybox:1.37.0";
  };
}
