"""What a session holds: photos, uploads, background jobs, the app shell."""
