"""Training of the core: `diffuse train`, or `torchrun ... -m diffuse_cli train`. Nothing else imports this package."""
