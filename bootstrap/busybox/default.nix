# busybox 1.37: the first shell, with sed, and everything small that configure scripts call.
{ sources, run, tcc }:

derivation {
  name = "busybox-1.37.0";
  system = "x86_64-linux";
  builder = run;
  args = [ ./build.run ];
  inherit tcc;
  source = sources.busybox.source;
  configure = ./configure.c;
  options = ./options;
  links = ./links.sh;
}
