let double = x: x * 2; in
double <| 1 + 1 |> toString
