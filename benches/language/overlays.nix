# 2,000 overlays, each with a few attributes, on a set of 20,000, composed as package sets compose them.
let
  inherit (builtins) foldl' genList listToAttrs;
  range = genList (n: n);
  compose = first: second: self: super: let one = first self super; in one // second self (super // one);
  overlays = map (n: self: super: {
    "new${toString n}" = { n = n; inherit (super) lib; };
    "package${toString (n * 9)}" = super."package${toString (n * 9)}" // { patched = true; };
    lib = super.lib // { "f${toString n}" = x: x + n; };
  }) (range 2000);
  base = self: { lib = { }; } // listToAttrs (map (n: { name = "package${toString n}"; value = { size = n; }; }) (range 20000));
  packages = let self = foldl' (super: overlay: super // overlay self super) (base self) overlays; in self;
  composed = let self = base self // foldl' compose (self: super: { }) (genList (builtins.elemAt overlays) 100) self (base self); in self;
in
[
  (builtins.length (builtins.attrNames packages))
  (builtins.length (builtins.attrNames packages.lib))
  packages.package9
  (packages.lib.f1999 1)
  (builtins.length (builtins.attrNames composed.lib))
]
