"""What any controller needs and no controller should write twice: a cache fed by watches, a keyed queue, a lease."""
