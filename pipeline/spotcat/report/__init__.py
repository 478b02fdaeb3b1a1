"""Pictures of results: the page of one star, and how a survey's periods compare with the truth."""
