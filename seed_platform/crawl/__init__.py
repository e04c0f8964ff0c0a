"""Reading crawls: WARC files in, HTML pages and named refusals out."""
