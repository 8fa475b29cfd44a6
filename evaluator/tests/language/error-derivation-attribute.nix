"${derivation {
  name = "x";
  system = "s";
  builder = "b";
  broken = { a = 1; };
}}"
