// Ten rules for the webhook of a GitHub repository, as an operator would write them in a route's `deliveries`.

const PULL_REQUEST = "pr {{payload.repository.full_name}}#{{payload.number}}";
const ISSUE = "issue {{payload.repository.full_name}}#{{payload.issue.number}}";

export const GITHUB_RULES = [
  {
    when: {
      "headers.x-github-event": "pull_request",
      "payload.action": ["opened", "reopened", "ready_for_review"],
    },
    key: PULL_REQUEST,
    do: {
      action: "create_flow",
      goal: "Review {{payload.pull_request.title}}",
      currentStep: "{{payload.action}}",
      stateJson: {
        url: "{{payload.pull_request.html_url}}",
        number: "{{payload.number}}",
        head: "{{payload.pull_request.head.sha}}",
        author: '{{payload.pull_request.user.login ?? "ghost"}}',
        labels: "{{payload.pull_request.labels}}",
      },
    },
  },
  {
    when: { "headers.x-github-event": "pull_request", "payload.action": "synchronize" },
    key: PULL_REQUEST,
    do: {
      action: "resume_flow",
      currentStep: "review again",
      stateJson: { url: "{{payload.pull_request.html_url}}", head: "{{payload.after}}", before: "{{payload.before}}" },
    },
  },
  {
    when: { "headers.x-github-event": "pull_request", "payload.action": "closed" },
    key: PULL_REQUEST,
    do: {
      action: "finish_flow",
      stateJson: { merged: "{{payload.pull_request.merged}}", by: '{{payload.sender.login ?? "ghost"}}' },
    },
  },
  {
    when: {
      "headers.x-github-event": "check_run",
      "payload.action": "completed",
      "payload.check_run.conclusion": ["failure", "timed_out", "action_required"],
      // a run for a fork names no pull request
      "payload.check_run.pull_requests[0].number": true,
    },
    key: "pr {{payload.repository.full_name}}#{{payload.check_run.pull_requests[0].number}}",
    do: {
      action: "set_waiting",
      currentStep: "checks failed",
      blockedSummary: "{{payload.check_run.name}}: {{payload.check_run.conclusion}}",
      waitJson: { url: "{{payload.check_run.details_url ?? payload.check_run.html_url ?? null}}" },
    },
  },
  {
    when: { "headers.x-github-event": "issues", "payload.action": ["opened", "reopened"] },
    key: ISSUE,
    do: {
      action: "create_flow",
      goal: "Answer {{payload.issue.title}}",
      stateJson: { url: "{{payload.issue.html_url}}", text: '{{payload.issue.body ?? ""}}' },
    },
  },
  {
    when: { "headers.x-github-event": "issues", "payload.action": ["closed", "deleted", "transferred"] },
    key: ISSUE,
    do: { action: "finish_flow", stateJson: { reason: "{{payload.issue.state_reason ?? payload.action}}" } },
  },
  {
    when: { "headers.x-github-event": "issue_comment", "payload.action": "created" },
    key: ISSUE,
    do: {
      action: "run_task",
      runtime: "subagent",
      label: "comment {{payload.comment.id}}",
      task: 'Answer the comment of {{payload.comment.user.login ?? "ghost"}} at {{payload.comment.html_url}}',
    },
  },
  {
    when: {
      "headers.x-github-event": "push",
      "payload.ref": ["refs/heads/main", "refs/heads/master"],
      "payload.deleted": false,
    },
    key: "push {{payload.repository.full_name}} {{payload.after}}",
    do: {
      action: "create_flow",
      goal: "Look at {{payload.compare}}",
      stateJson: { commit: "{{payload.head_commit}}", forced: "{{payload.forced}}" },
    },
  },
  {
    when: { "headers.x-github-event": "release", "payload.action": "published" },
    key: "release {{payload.repository.full_name}} {{payload.release.id}}",
    do: {
      action: "create_flow",
      goal: "Announce {{payload.repository.name}} {{payload.release.tag_name}}",
      stateJson: { url: "{{payload.release.html_url}}", notes: '{{payload.release.body ?? ""}}' },
    },
  },
  {
    when: { "headers.x-github-event": "deployment" },
    key: "deployment {{payload.deployment.id}}",
    do: {
      action: "create_flow",
      goal: "Watch {{payload.deployment.ref}} in {{payload.deployment.environment}}",
      notifyPolicy: "state_changes",
      stateJson: { url: "{{payload.deployment.url}}", payload: "{{payload.deployment.payload}}" },
    },
  },
] as const;
