"""Reading problems, making synthetic ones, views and splits."""
