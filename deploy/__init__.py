"""What runs the analyzer in clusters: a Helm chart, an ECS task definition, and what makes them."""
