@"%~dp0python.exe" -P -m palimpsest.app.main %*
