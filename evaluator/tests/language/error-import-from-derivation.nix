import (derivation { name = "generated"; system = "s"; builder = "b"; })
