"""The server: models asked over HTTP, jobs, files and the studio. `build` makes the application, `ilk serve` runs it."""
