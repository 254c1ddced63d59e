"""Two ways of learning to walk along a cliff (Sutton and Barto 2018, example 6.6), in NumPy."""

import numpy as np

ROWS, COLUMNS = 4, 12
MOVES = ((-1, 0), (1, 0), (0, -1), (0, 1))
START, GOAL = (3, 0), (3, 11)


def step(place, move):
    """Return the next place and the reward: -1, or -100 and back to the start over the cliff."""
    row = min(max(place[0] + MOVES[move][0], 0), ROWS - 1)
    column = min(max(place[1] + MOVES[move][1], 0), COLUMNS - 1)
    if row == 3 and 0 < column < 11:
        return START, -100
    return (row, column), -1


def train(config, report):
    """Learn the value of each move at each place; an epoch is 100 walks to the goal."""
    generator = np.random.default_rng(config["seed"])
    values = np.zeros((ROWS, COLUMNS, len(MOVES)))

    def choose(place):
        if generator.random() < config["explore"]:
            return int(generator.integers(len(MOVES)))
        return int(values[place].argmax())

    for _ in range(config["epochs"]):
        returns = []
        for _ in range(100):
            place, move, total = START, choose(START), 0
            for _ in range(300):
                after, reward = step(place, move)
                total += reward
                if after == GOAL:
                    values[place][move] += config["rate"] * (reward - values[place][move])
                    break
                following = choose(after)
                best = following if config["method"] == "sarsa" else int(values[after].argmax())
                wanted = reward + values[after][best]
                values[place][move] += config["rate"] * (wanted - values[place][move])
                place, move = after, following
            returns.append(total)
        half = len(returns) // 2  # both are walks of one learner; no walk is in both halves
        report(
            {"validation.return": np.mean(returns[:half]), "test.return": np.mean(returns[half:])}
        )
