# 3,000 small files, each a function of its neighbours, as a package set reads them.
# The files are made by `run`: generated/imports/0.nix and so on.
let
  files = builtins.genList (n: n) 3000;
  self = builtins.listToAttrs (map (n: {
    name = "package${toString n}";
    value = import (./generated/imports + "/${toString n}.nix") { inherit self; };
  }) files);
in
builtins.foldl' (total: n: total + self."package${toString n}".size) 0 files
