"""What `bench/run` is made of: building, starting and loading servers, and telling what came out."""
