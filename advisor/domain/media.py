"""Name the kinds of media, which some rules treat in their own way."""

MEDIA = ("books", "music", "video", "dvd", "video_games", "other")
NOT_MEDIA = "not_media"
