(null) 1
