[
  (import ./folder { }) (import ./folder/value.nix).a (builtins.baseNameOf (import ./folder/value.nix).file)
  (builtins.readFile ./folder/text) (builtins.readDir ./folder) (builtins.pathExists ./folder/none) (builtins.pathExists ./folder)
  (builtins.readFile (./folder + "/te" + "xt")) (builtins.pathExists (./. + "/${"folder"}/text")) (builtins.baseNameOf ./${"folder"}/text)
]
