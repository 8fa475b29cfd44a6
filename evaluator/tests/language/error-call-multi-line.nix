let
  build = { name, version ? "1", ... }@all: name;
in
  build {
    nmae = "x";
    version = "2";
  }
