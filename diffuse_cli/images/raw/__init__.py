"""Camera RAW in linear light: read from the sensor's numbers, written as DNG."""
