"""The mathematics: numpy arrays in, numpy arrays out."""
