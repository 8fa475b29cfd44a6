[
  (builtins.toJSON { b = [ 1 null true "q\"\n" ]; a = { outPath = "/x"; y = 1; }; c = 1.5; d = "\tü/"; })
  (builtins.fromJSON ''{ "a": [1, -2.5, 1e3, "x\u00fc\ud83d\ude00\n"], "b": null, "b": true, "c": {} }'')
  (builtins.fromJSON "9223372036854775807")
]
