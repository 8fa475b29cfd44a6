let greeting = "hello"; in greeting "world"
