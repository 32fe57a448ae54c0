"""Lists the files that keep IMDSv1 off: what each stops, what it does not, and how to apply it.

The order is the order in which to apply them: what only looks comes first, and what shuts the way
back comes last. Sources: AWS's example policies for EC2
(https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ExamplePolicies_EC2.html), the global
condition keys (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html),
and the syntax of declarative policies
(https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_declarative_syntax.html).
"""

from __future__ import annotations

from analyzer.account.guardrails.guardrail import TARGET, Guardrail, Kind


def _deploy(file: str, stack: str) -> str:
    return f"aws cloudformation deploy --stack-name {stack} --template-file DIRECTORY/{file}"


def _organization(file: str, kind: str, name: str, description: str) -> tuple[str, ...]:
    return (
        (
            f"policy=$(aws organizations create-policy --type {kind} --name {name}"
            f" --description '{description}' --content file://DIRECTORY/{file}"
            " --query Policy.PolicySummary.Id --output text) &&\n"
            f'aws organizations attach-policy --policy-id "$policy" --target-id {TARGET}'
        ),
    )


def _after(condition: str, *commands: str) -> tuple[str, ...]:
    """Let commands run only if a condition holds."""
    return tuple(f"{condition} &&\n{command}" for command in commands)


_SERVICE_CONTROL_GAPS = (
    "It does not bind the organization's management account, nor service-linked roles.",
)
GUARDRAILS = (
    Guardrail(
        "config-rules.yaml",
        Kind.CLOUDFORMATION,
        "AWS Config names what allows IMDSv1",
        "Three managed rules mark instances, default versions of launch templates, and launch"
        " configurations as noncompliant. It changes nothing.",
        (
            "It finds, and stops nothing.",
            (
                "Of a launch template it sees the default version only: a group that pins another"
                " version passes."
            ),
            "It does not see account defaults, AMIs, or who still calls IMDSv1.",
            (
                "It does not see what AWS Config does not record. Some Regions lack the rules for"
                " launch templates or launch configurations: set the parameters to false there."
            ),
        ),
        (
            _deploy("config-rules.yaml", "imdsv2-config-rules"),
            (
                "aws configservice put-organization-conformance-pack"
                " --organization-conformance-pack-name imdsv2"
                " --template-body file://DIRECTORY/config-rules.yaml"
            ),
        ),
    ),
    Guardrail(
        "security-hub.yaml",
        Kind.CLOUDFORMATION,
        "Security Hub lists what fails EC2.8, EC2.170 and AutoScaling.3",
        "One insight over all member accounts counts the failed findings by account.",
        (
            "It finds, and stops nothing.",
            "The controls run on AWS Config's rules, so they see no more than these.",
            "A suppressed finding is not in the insight.",
        ),
        (_deploy("security-hub.yaml", "imdsv2-security-hub"),),
    ),
    Guardrail(
        "declarative-policy-default.json",
        Kind.DECLARATIVE,
        "The organization's default for new instances is IMDSv2",
        "Each account's default becomes HttpTokens=required in all Regions, and no account can"
        " change it. The other options keep no preference.",
        (
            "It is a default: a launch or a template that says optional still gets IMDSv1.",
            "It does not change instances that run.",
            "An account's own default for another option, such as the hop limit, no longer counts.",
            "The hop limit is not raised: containers with a network of their own may need 2.",
        ),
        _organization(
            "declarative-policy-default.json",
            "DECLARATIVE_POLICY_EC2",
            "imdsv2-default",
            "New instances require IMDSv2 unless their launch says otherwise",
        ),
    ),
    Guardrail(
        "iam-role-delivery.json",
        Kind.IDENTITY,
        "Credentials from IMDSv1 are worthless",
        "All calls with credentials that an instance got by IMDSv1 are denied. CloudTrail says who"
        " has such: userIdentity.sessionContext.ec2RoleDelivery is 1.0.",
        (
            (
                "It does not stop calls of IMDSv1 for anything but credentials: user data is still"
                " read."
            ),
            "It does not stop credentials that were stolen by IMDSv2.",
            (
                "Credentials from IMDSv1 stay in use until a program asks anew, for up to 6 hours:"
                " these calls fail at once."
            ),
            (
                "As an IAM policy it binds the roles to which it is attached, and as a service"
                " control policy all but the management account."
            ),
        ),
        (
            (
                "policy=$(aws iam create-policy --policy-name imdsv2-credentials-only"
                " --policy-document file://DIRECTORY/iam-role-delivery.json"
                " --query Policy.Arn --output text) &&\n"
                'aws iam attach-role-policy --role-name ROLE --policy-arn "$policy"'
            ),
        ),
    ),
    Guardrail(
        "iam-source-vpc.json",
        Kind.IDENTITY,
        "An instance's credentials are good in its VPC, from its own address, only",
        "A call with an instance's credentials is denied unless it comes through a VPC endpoint of"
        " the instance's VPC, from the instance's first private address.",
        (
            (
                "It needs a VPC endpoint for each service that the role calls: all other calls are"
                " denied, those through a NAT gateway or to another Region too."
            ),
            (
                "It does not stop what runs on the instance itself, which is where request forgery"
                " runs."
            ),
            "It does not stop what AWS services do on the role's behalf (aws:ViaAWSService).",
            (
                "Calls from a second address of the instance, such as a pod's, are denied: leave"
                " out the second statement there."
            ),
            (
                "Who works on an instance with such a role may be locked out, and cannot detach the"
                " policy from there: keep other credentials at hand."
            ),
        ),
        (
            (
                "policy=$(aws iam create-policy --policy-name instance-credentials-in-their-vpc"
                " --policy-document file://DIRECTORY/iam-source-vpc.json"
                " --query Policy.Arn --output text) &&\n"
                'aws iam attach-role-policy --role-name ROLE --policy-arn "$policy"'
            ),
        ),
    ),
    Guardrail(
        "vpc-endpoint-policy.json",
        Kind.ENDPOINT,
        "A VPC endpoint refuses credentials from IMDSv1, and those of other VPCs",
        "Whoever uses the endpoint with an instance's credentials must have them by IMDSv2, and"
        " from an instance of this VPC.",
        (
            "It binds calls through this endpoint only: a call over the internet passes.",
            "It takes the place of the endpoint's present policy: add that one's statements first.",
            "Not every service takes a policy on its endpoint.",
            (
                "Calls that a service makes through the endpoint with the instance's credentials"
                " are bound, too."
            ),
        ),
        (
            (
                "aws ec2 modify-vpc-endpoint --vpc-endpoint-id ENDPOINT_ID"
                " --policy-document file://DIRECTORY/vpc-endpoint-policy.json"
            ),
        ),
    ),
    Guardrail(
        "scp-launch.json",
        Kind.SERVICE_CONTROL,
        "Nobody launches an instance that takes IMDSv1",
        "RunInstances is denied unless the launch requires tokens. Say so in the launch or its"
        " template: AWS does not document that the account's default or the AMI is enough.",
        (
            *_SERVICE_CONTROL_GAPS,
            (
                "An Auto Scaling group launches by its service-linked role: the policy is asked"
                " when somebody makes or changes the group, not at each launch."
            ),
            "It does not change instances that run, nor stop ModifyInstanceMetadataOptions.",
            "In GovCloud and China, arn:aws is arn:aws-us-gov and arn:aws-cn.",
        ),
        _organization(
            "scp-launch.json",
            "SERVICE_CONTROL_POLICY",
            "imdsv2-at-launch",
            "Instances must require IMDSv2 when they are launched",
        ),
        is_way_back_shut=True,
    ),
    Guardrail(
        "declarative-policy-enforced.json",
        Kind.DECLARATIVE,
        "EC2 itself fails launches with IMDSv1, and every way back to it",
        "HttpTokensEnforced in all accounts and Regions: launches with optional tokens fail,"
        " whoever makes them, and EC2 refuses --http-tokens optional. It has the default of"
        " declarative-policy-default.json in it: detach that one where this is attached.",
        (
            "It does not change instances that run with IMDSv1: switch these first.",
            "It has no exceptions by role: attach it to parts of the organization, one by one.",
            (
                "Organizations refuses it where it does not know http_tokens_enforced yet: then set"
                " --http-tokens-enforced in each account and Region."
            ),
        ),
        _organization(
            "declarative-policy-enforced.json",
            "DECLARATIVE_POLICY_EC2",
            "imdsv2-enforced",
            "Instances must require IMDSv2 and EC2 enforces it",
        ),
        is_way_back_shut=True,
    ),
    Guardrail(
        "scp-way-back.json",
        Kind.SERVICE_CONTROL,
        "Nobody turns IMDSv1 on again, but one role",
        "ModifyInstanceMetadataOptions with optional tokens, and any change of the account's"
        " defaults, are denied to all but ROLE_THAT_MAY_CHANGE_IT.",
        (
            *_SERVICE_CONTROL_GAPS,
            "It does not stop a launch with IMDSv1: that is scp-launch.json.",
            "It does not stop whoever may assume the role that it spares.",
            (
                "Where no role has the name in the file, nobody can turn IMDSv1 on again until the"
                " policy is detached in the management account: the command refuses the file with"
                " ROLE_THAT_MAY_CHANGE_IT still in it."
            ),
            "In GovCloud and China, arn:aws is arn:aws-us-gov and arn:aws-cn.",
        ),
        _after(
            "! grep ROLE_THAT_MAY_CHANGE_IT DIRECTORY/scp-way-back.json",
            *_organization(
                "scp-way-back.json",
                "SERVICE_CONTROL_POLICY",
                "imdsv2-for-good",
                "Nobody but one role turns IMDSv1 on again",
            ),
        ),
        is_way_back_shut=True,
    ),
)
BY_FILE = {each.file: each for each in GUARDRAILS}
