# TinyCC 0.9.27, unpatched, from cc to the fixed point: tcc0 is what cc makes of it, tcc1 what tcc0
# makes of it, and tcc2, made by tcc1, must be tcc1 again.
{ fetch, cc, libc }:

let
  system = "x86_64-linux";
  out = placeholder "out";

  # A snapshot of TinyCC's branch "mob", commit 62c30a4a of 2020-08-14. Upstream has no archive with
  # these bytes (its snapshots are packed anew on each request), so that Debian's is the only address.
  archive = fetch {
    name = "tcc_0.9.27+git20200814.62c30a4a.orig.tar.bz2";
    hash = "sha256-1jwRO83WV/UcjuGXoLCiQgNgMxPhmlK19njUCrf13zU=";
    debian = {
      package = "tcc";
      version = "0.9.27+git20200814.62c30a4a";
      file = "tcc_0.9.27+git20200814.62c30a4a.orig.tar.bz2";
    };
  };

  # The archive has no top folder.
  source = derivation {
    name = "tinycc-0.9.27-source";
    inherit system;
    builder = "builtin:unpack";
    src = archive;
  };

  # One C file with all of TinyCC, for x86-64, linking statically, without what needs a bigger libc.
  defines = [
    "-DONE_SOURCE=1"
    "-DTCC_TARGET_X86_64"
    "-DCONFIG_TCC_STATIC"
    "-DCONFIG_TCCBOOT"
    "-DTCC_VERSION=\"0.9.27\""
  ];

  runtime = [
    "${source}/lib/libtcc1.c"
    "${source}/lib/va_list.c"
  ];

  tcc0 = derivation {
    name = "tcc0";
    inherit system;
    builder = cc;
    args =
      [
        out
        "-I${libc.include}"
        "-I${source}"
        # What other compilers define themselves; cc knows no attributes.
        "-D__linux__"
        "-D__x86_64__"
        "-D__attribute__(x)="
      ]
      ++ defines
      ++ [
        libc.source
        "${source}/tcc.c"
      ];
  };

  selfCompiled =
    name: compiler:
    derivation {
      inherit name system;
      builder = compiler;
      args =
        [
          "-nostdinc"
          "-nostdlib"
          "-static"
          "-I${libc.include}"
          "-I${source}"
        ]
        ++ defines
        ++ [
          "-o"
          out
          libc.start
          libc.source
          "${source}/tcc.c"
        ]
        ++ runtime;
    };

  tcc1 = selfCompiled "tcc1" tcc0;
  tcc2 = selfCompiled "tcc2" tcc1;
in
{
  inherit archive source defines runtime tcc0 tcc1 tcc2;
}
