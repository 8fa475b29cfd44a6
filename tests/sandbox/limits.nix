# Derivations whose builders go beyond a limit, and then wait for ever.
let
  inherit (import ./. { }) probe;

  does =
    name: actions:
    derivation {
      inherit name;
      system = "x86_64-linux";
      builder = probe;
      args = [
        "does"
        (placeholder "out")
      ]
      ++ builtins.concatLists actions;
    };

  wait = [
    "wait"
    ""
    ""
  ];
  write = path: bytes: [
    "file"
    path
    bytes
  ];
in
{
  memory = does "memory" [
    [
      "fill"
      "200000000"
      ""
    ]
    wait
  ];
  # Each has less than the limit.
  shared-memory = does "shared-memory" [
    [
      "fill"
      "60000000"
      ""
    ]
    [
      "fork"
      "2"
      "60000000"
    ]
    wait
  ];
  processes = does "processes" [
    [
      "fork"
      "20"
      ""
    ]
    wait
  ];
  disk = does "disk" (builtins.genList (number: write "/build/${toString number}" "4000000") 10 ++ [ wait ]);
  file = does "file" [
    (write "/tmp/x" "40000000")
    wait
  ];
  output = does "output" [ (write (placeholder "out") "4000000") ];
  within = does "within" [
    [
      "fill"
      "20000000"
      ""
    ]
    [
      "fork"
      "4"
      ""
    ]
    (write "/build/x" "1000000")
    (write (placeholder "out") "500000")
  ];
}
