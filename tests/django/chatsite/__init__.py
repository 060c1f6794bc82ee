"""The Django chat that Natter takes the place of, as small as it can be: the tests' peer in a mixed fleet."""
