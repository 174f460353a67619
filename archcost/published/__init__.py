"""What documents print of networks: costs, with a verdict on each number, and accuracies."""
