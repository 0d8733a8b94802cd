"""Turn domain results into JSON-ready answers, with their sentences: what the API sends and the command line prints."""
