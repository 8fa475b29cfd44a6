let
  builder = derivation { name = "builder"; system = "x86_64-linux"; builder = "builtin:fetch"; outputHash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="; };
  two = derivation { name = "two-1.0"; system = "x86_64-linux"; inherit builder; outputs = [ "out" "dev" ]; args = [ ./folder/text "-o" (placeholder "out") 3 ]; flag = true; none = null; list = [ "a" builder.outPath ]; };
in {
  inherit (two) name drvPath outPath outputName type;
  dev = two.dev.outPath; nested = two.dev.out.dev.outputName; all = map (o: o.outputName) two.all;
  context = builtins.getContext "${two.dev} ${./folder}";
  drvContext = builtins.getContext two.drvPath; equal = two == two.out; unequal = two == builder;
  given = two.drvAttrs.flag; plain = builtins.hasContext (builtins.unsafeDiscardStringContext "${two}");
  file = builtins.toFile "greeting" "hi ${./folder/text}"; source = builtins.filterSource (path: type: baseNameOf path != "text") ./folder;
  named = builtins.path { path = ./folder; name = "renamed"; };
}
