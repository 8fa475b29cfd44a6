# TinyCC and musl 1.2.5 in one folder, a compiler that needs nothing else: bin/tcc finds its headers, its
# library and its start files by the paths of its own output.
#
# musl and TinyCC are both compiled by the TinyCC before, which reads their floating constants with the C library
# that it is linked with. Hence the passes: the small library's strtold, in tcc-patched, misses last bits and the
# smallest numbers, so that 23 of pass1's objects have wrong constants. LDBL_MIN in pass1's own strtold is one of
# them, which makes it 0 in three objects of pass2. pass3 has all of them right, and pass4, made by pass3, must be
# pass3 again (but for its own path).
{ program, tinycc-source, sources, tcc, run, patch }:

let
  headers = program "musl-headers" ./headers.c;

  # Every folder of musl's src but complex, include (private headers) and malloc/oldmalloc.
  folders = [
    "aio" "conf" "crypt" "ctype" "dirent" "env" "errno" "exit" "fcntl" "fenv" "internal" "ipc" "ldso"
    "legacy" "linux" "locale" "malloc" "malloc/mallocng" "math" "misc" "mman" "mq" "multibyte" "network"
    "passwd" "prng" "process" "regex" "sched" "search" "select" "setjmp" "signal" "stat" "stdio" "stdlib"
    "string" "temp" "termios" "thread" "time" "unistd"
  ];

  # Those with assembly for x86-64, whose objects take the place of the C files' of the same name.
  assembled = [ "ldso" "process" "setjmp" "signal" "string" "thread" ];

  flags = builtins.concatStringsSep " " [
    "-nostdinc"
    "-std=c99"
    "-D_XOPEN_SOURCE=700"
    "-I/build/musl/arch/x86_64"
    "-I/build/musl/arch/generic"
    "-I/build/musl/src/include"
    "-I/build/musl/src/internal"
    "-I\${out}/include"
    "-I\${tinycc}/include"
  ];

  compile =
    folder:
    "cd /build/musl/src/${folder}\n"
    + "\${tcc} ${flags} -c *.c\n"
    + (if builtins.elem folder assembled then "\${tcc} ${flags} -c x86_64/*.s\n" else "");

  script = builtins.toFile "tinycc-musl.run" (
    builtins.readFile ./musl.run
    + builtins.concatStringsSep "" (map compile folders)
    + "cd /build/musl/crt\n\${tcc} ${flags} -c crt1.c x86_64/*.s\n"
    + builtins.readFile ./tinycc.run
    + "\${tcc} -ar rcs \${out}/lib/libc.a libtcc1.o va_list.o alloca86_64.o "
    + builtins.concatStringsSep " " (map (folder: "/build/musl/src/${folder}/*.o") folders)
    + "\n"
    + builtins.readFile ./link.run
  );

  pass =
    name: tcc:
    derivation {
      inherit name;
      system = "x86_64-linux";
      builder = run;
      args = [ script ];
      inherit tcc headers patch;
      musl = sources.musl.source;
      tinycc = tinycc-source;
      system_calls_in_memory = ./1-system-calls-in-memory.patch;
      call_without_plt = ./2-call-without-plt.patch;
    };

  pass1 = pass "tinycc-musl-pass1" tcc;
  pass2 = pass "tinycc-musl-pass2" "${pass1}/bin/tcc";
  pass3 = pass "tinycc-musl-pass3" "${pass2}/bin/tcc";
  pass4 = pass "tinycc-musl-pass4" "${pass3}/bin/tcc";
in
{
  inherit pass1 pass2 pass3 pass4;
}
