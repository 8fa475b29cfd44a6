# TinyCC with seven changes, each a patch beside this file that opens with its intention; still on the
# small C library of the steps before. pass1 is what the unpatched tcc makes of it, pass2 what pass1 makes
# of it; pass3, made by pass2, must be pass2 again.
{ tinycc, tcc, libc, run, patch }:

let
  system = "x86_64-linux";
  out = placeholder "out";

  source = derivation {
    name = "tinycc-0.9.27-patched-source";
    inherit system;
    builder = run;
    args = [ ./patch.run ];
    inherit patch;
    inherit (tinycc) source;
    return_jumps = ./1-return-jumps.patch;
    aliases_are_symbols = ./2-aliases-are-symbols.patch;
    archives_know_weak_symbols = ./3-archives-know-weak-symbols.patch;
    long_hexadecimal_floats = ./4-long-hexadecimal-floats.patch;
    all_byte_orders = ./5-all-byte-orders.patch;
    static_programs = ./6-static-programs.patch;
    no_abort_in_va_list = ./7-no-abort-in-va-list.patch;
  };

  pass =
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
          # The small library has no long double functions. Nothing compiled before musl has
          # constants that need them.
          "-Dldexpl=ldexp"
        ]
        ++ tinycc.defines
        ++ [
          "-o"
          out
          libc.start
          libc.source
          "${source}/tcc.c"
          "${source}/lib/libtcc1.c"
          "${source}/lib/va_list.c"
        ];
    };

  pass1 = pass "tcc-patched-pass1" tcc;
  pass2 = pass "tcc-patched-pass2" pass1;
  pass3 = pass "tcc-patched-pass3" pass2;
in
{
  inherit source pass1 pass2 pass3;
}
