"""Messages in the formats of chat services: Slack, Microsoft Teams, Discord. Does no I/O."""
