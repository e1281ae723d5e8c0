"""Other ways to compute the network: compiled by torch, by ncnn, with copies to a GPU."""
